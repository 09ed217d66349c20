"""The explorer: a page on this machine on which the whole model can be turned and looked at.

A small server (Starlette on uvicorn) hands out a page written by hand, in plain HTML, CSS and
JavaScript modules, and answers it in JSON. Nothing of a page is run or opened here: it names keys
of a scenario and their values, which the schema checks as it does for the command line.
"""
