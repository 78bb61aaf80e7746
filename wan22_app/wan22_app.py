"""The web application: pages, routes, middleware, lifespan; nothing else.

Imported by Reflex's supervisor too, so nothing may start or connect here.
"""

from functools import partial

import reflex as rx
from granian.utils.proxies import wrap_asgi_with_proxy_headers
from reflex.utils.exec import is_prod_mode
from reflex_base.config import get_config

from wan22_app.settings import Settings
from wan22_app.web.guards import HeaderGuard, PlaceGuard, UploadGuard
from wan22_app.web.lifespan import lifespan
from wan22_app.web.pages import PAGES
from wan22_app.web.routes import routes
from wan22_app.web.security import PolicyMiddleware
from wan22_app.web.theme import HEAD, STYLESHEETS

app = rx.App(
    toaster=rx.toast.provider(position="bottom-right", visible_toasts=2),
    stylesheets=list(STYLESHEETS),
    head_components=list(HEAD),
    api_transformer=[
        routes(),
        partial(UploadGuard, path=get_config().prepend_backend_path("/_upload")),
        HeaderGuard,
        partial(PlaceGuard, hosts=frozenset(Settings().allowed_hosts), one_port=is_prod_mode()),
        # Outermost: believe X-Forwarded-* of a proxy on this machine only.
        partial(wrap_asgi_with_proxy_headers, trusted_hosts="127.0.0.1"),
    ],
)
app.add_middleware(PolicyMiddleware(), index=0)
app.register_lifespan_task(lifespan(app))
for page in PAGES:
    app.add_page(page.component, route=page.route, title=page.title, on_load=list(page.on_load))
