"""The documents as JSON, with Django REST framework. No page imports it."""
