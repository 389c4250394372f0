"""Its one address."""

from bench.route import messages
from bench.textbook.views import MessageCollection

urlpatterns = [messages(MessageCollection.as_view())]
