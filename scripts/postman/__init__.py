"""The Postman collection, made from the API's description (OpenAPI).

`walk` lists the requests in the order in which a new user would send them. URLs, bodies, texts and
tests come from the description. The same description gives the same bytes.
"""
