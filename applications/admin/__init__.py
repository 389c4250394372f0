"""Applications and operator keys in the admin."""

from applications.admin import applications as applications
from applications.admin import operators as operators
