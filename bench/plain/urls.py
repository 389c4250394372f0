"""Its one address."""

from bench.plain.views import MessageCollection
from bench.route import messages

urlpatterns = [messages(MessageCollection.as_view())]
