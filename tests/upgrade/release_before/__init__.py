"""The migrations of the release before, as they were, each in an app with the label of then.

They make the database that `migrate` of today upgrades. The copies change when a release is made:
then they become the migrations of that release.
"""
