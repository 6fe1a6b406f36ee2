"""The records of several schools: a trust, an authority, a country. Each school is judged by itself.

`folder` says what a folder holds, `school` judges one school, `here` judges all of them on this machine,
`spark` on Spark, and `summary` adds them up.
"""
