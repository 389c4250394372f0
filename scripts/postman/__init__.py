"""The Postman collection, made from the API's description (OpenAPI).

`walk` lists the requests in the order in which a new user would send them; all that a request is,
says and answers is taken from the description. The same description gives the same bytes.
"""
