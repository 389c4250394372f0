"""What the admin of applications, chats and messages has in common: lists, searches and forms.

Lists cost the same at any size and any depth, searches go by key, and whatever is written goes
through the services that the API calls. Each app registers its own models; registered here is what
is not an app's: dead letters, the log, who gives numbers.
"""

from operations.admin import dead_letters as dead_letters
from operations.admin import log as log
from operations.admin import number_authority as number_authority
