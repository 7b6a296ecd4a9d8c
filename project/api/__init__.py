"""
The JSON API: Django REST framework, loaded by the first request to it.

``urls`` has the paths, ``uploads`` the grants of direct uploads, ``errors`` the shape
of errors, and ``openapi.json`` the description that ``schema`` makes.
"""
