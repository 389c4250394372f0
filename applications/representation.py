"""An application as the API shows it."""

from applications.models import Application
from core.http.renderers import timestamp


def represent_application(application: Application) -> dict[str, object]:
    """The fields of the contract, in its order."""
    return {
        "token": application.token,
        "name": application.name,
        "chats_count": application.chats_count,
        "created_at": timestamp(application.created_at),
        "updated_at": timestamp(application.updated_at),
    }
