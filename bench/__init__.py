"""Performance of this system beside the baselines, on the services of the local stack.

`python -m bench` measures; `textbook` and `plain` are the baselines, each a Django project of its
own. Nothing in the product knows of this package.
"""
