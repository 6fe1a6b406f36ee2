"""The pages that are made from the project's own data: one module a page, each with a function `page`."""
