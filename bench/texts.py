"""Message bodies as people write them, and what a chat's clients ask for.

Bodies are in many scripts, of 80 bytes in the median, with a long tail. The random numbers have
fixed seeds, so every run and every design gets the same ones.
"""

import math
import random
from collections.abc import Mapping
from urllib.parse import quote

from bench.wrk import Request

#: Messages that a chat must have before the load of `mixture` begins; its GETs read them.
EXISTING = 500

_REQUESTS = 2000
_MEDIAN_BYTES = 80
_SPREAD = 0.8
_SHORTEST, _LONGEST = 3, 4000
_SEARCHED_CHARACTERS = 4

# Weight, what stands between words, words.
_SCRIPTS = (
    (35, " ", "hello my order has not arrived yet could you please check the tracking number"),
    (
        20,
        " ",
        'it said "delivered" on Monday thanks I\'ll wait; refund instead? the box was damaged',
    ),
    (10, " ", "Grüße schönen Tag möchte die Größe ändern voilà déjà reçu garçon señor mañana ½ €"),
    (10, " ", "здравствуйте где мой заказ пожалуйста спасибо доставка когда проверьте адрес"),
    (8, " ", "مرحبا أين طلبي شكرا لم يصل بعد رقم التتبع من فضلك שלום תודה ההזמנה שלי"),
    (5, " ", "नमस्ते मेरा ऑर्डर कब आएगा धन्यवाद कृपया जाँच करें สวัสดี ขอบคุณ"),
    (7, "", "どうも ありがとう ございます 注文 番号 は 届いて いません 您好 我的 订单 在 哪里"),
    (5, " ", "📦 🚚 👍🏽 😀 ok 👨\u200d👩\u200d👧 ❤️ 🇩🇪 yes 🎉 thx"),
)

#: Of a hundred requests of a mixture, by what follows the address of the messages; "" is a POST.
_SHARES: Mapping[str, int] = {
    "": 45,
    "/{number}": 45,
    "?after={number}": 8,
    "/search?query={text}": 2,
}


def bodies(count: int) -> list[str]:
    """The first `count` bodies; none has a line break."""
    source = random.Random(20)
    return [_body(source) for _ in range(count)]


def creates(path: str = "") -> list[Request]:
    """Requests that each create a message, at this path or at that of the load's URL."""
    return [Request("POST", path, {"body": body}) for body in bodies(_REQUESTS)]


def mixture(messages_path: str) -> list[Request]:
    """Requests to one chat: mostly creates and single messages, some pages and searches."""
    source = random.Random(11)
    kinds = source.choices(list(_SHARES), list(_SHARES.values()), k=_REQUESTS)
    found = []
    for kind, body in zip(kinds, bodies(_REQUESTS), strict=True):
        number, text = source.randint(1, EXISTING), quote(body[:_SEARCHED_CHARACTERS])
        path = messages_path + kind.format(number=number, text=text)
        found.append(Request("GET", path) if kind else Request("POST", path, {"body": body}))
    return found


def _body(source: random.Random) -> str:
    wish = source.lognormvariate(math.log(_MEDIAN_BYTES), _SPREAD)
    wish = min(max(wish, _SHORTEST), _LONGEST)
    [(_, space, vocabulary)] = source.choices(_SCRIPTS, [script[0] for script in _SCRIPTS])
    words = vocabulary.split()
    text = source.choice(words)
    while len(text.encode()) < wish:
        text += space + source.choice(words)
    return text
