"""The dashboard: the published file as pages, JSON, SQL, a feed and metrics. It reads only, and only that file.

A request passes `under`, `security` and `cache`, then the routes (`pages`, `api`, `feeds`, `operations`) over
`published`.
"""
