"""The program over facts that are not known: formulas of z3 that say which facts would be derived.

codes       values as whole numbers
formulas    truth values and values that depend on what is not known
functions   the functions of terms
aggregates  what aggregates make of rows that may not be there
evaluate    rules over rows that may not be there
space       what is not known, and what must hold of it
solve       facts that one program derives and another does not

z3 is needed for it, and nothing else of the engine imports this package.
"""
