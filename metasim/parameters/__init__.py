"""WHAT A SCENARIO SAYS OF THE LAW: reads a scenario and fills the arrays that engines draw from.

`rates.law_of` gives the biology, `course.course_of` the clinical
course with its treatments. Arrays carry a leading patient axis of length 1 (all patients alike) or
n (one entry each).
"""
