"""The kit of the admin pages of all applications: lists, searches, forms, logins.

A list costs the same at any size and any page, a search goes by key, and every change goes through
the services that the API calls. Each application registers its own models; this package registers
those that belong to none: dead letters, the log, the number authority.
"""

from operations.admin import dead_letters as dead_letters
from operations.admin import log as log
from operations.admin import number_authority as number_authority
