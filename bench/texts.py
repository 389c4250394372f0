"""Message bodies as people write them, and the parts of them that people search for.

Bodies are in many scripts, of 80 bytes in the median, with a long tail. The random numbers have
fixed seeds, so every run and every design gets the same ones.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence

from bench.wrk import Request

_REQUESTS = 2000
_MEDIAN_BYTES = 80
_SPREAD = 0.8
_SHORTEST, _LONGEST = 3, 4000
_SEARCHED_CHARACTERS = 4
#: The share of the bodies that a searched text must be in.
_SEARCHED_SHARE = 0.1

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


def bodies(count: int) -> list[str]:
    """The first `count` bodies; none has a line break."""
    source = random.Random(20)
    return [_body(source) for _ in range(count)]


def creates(path: str = "") -> list[Request]:
    """Requests that each create a message, at this path or at that of the load's URL."""
    return [Request("POST", path, {"body": body}) for body in bodies(_REQUESTS)]


def searched(among: Sequence[str]) -> list[str]:
    """Texts of four characters that occur in at least a tenth of these bodies, in a fixed order."""
    found = Counter(
        text
        for body in among
        for text in {
            body[start : start + _SEARCHED_CHARACTERS]
            for start in range(len(body) - _SEARCHED_CHARACTERS + 1)
        }
    )
    return sorted(text for text, times in found.items() if times >= _SEARCHED_SHARE * len(among))


def _body(source: random.Random) -> str:
    wish = source.lognormvariate(math.log(_MEDIAN_BYTES), _SPREAD)
    wish = min(max(wish, _SHORTEST), _LONGEST)
    [(_, space, vocabulary)] = source.choices(_SCRIPTS, [script[0] for script in _SCRIPTS])
    words = vocabulary.split()
    text = source.choice(words)
    while len(text.encode()) < wish:
        text += space + source.choice(words)
    return text
