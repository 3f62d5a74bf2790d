"""An identity provider that lets one person in: OpenID Connect's code flow, as far as a login needs it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "hilum"


@contextmanager
def identity_provider(email: str) -> Iterator[str]:
    """Yield the address of a provider that asks nothing and says that the reader is `email`."""
    key = RSAKey.generate_key(2048, {"kid": "only", "use": "sig", "alg": "RS256"})
    nonces: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self.answer(
                    {
                        "issuer": url,
                        "authorization_endpoint": f"{url}/authorize",
                        "token_endpoint": f"{url}/token",
                        "jwks_uri": f"{url}/keys",
                        "response_types_supported": ["code"],
                        "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                    }
                )
            elif parts.path == "/keys":
                self.answer({"keys": [key.as_dict(private=False)]})
            elif parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                nonces.append(asked["nonce"])
                self.send_response(302)
                back = urlencode({"code": "a-code", "state": asked["state"]})
                self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            now = int(time.time())
            claims = {"iss": url, "sub": "1", "aud": CLIENT_ID, "iat": now, "exp": now + 600}
            claims |= {"nonce": nonces[-1], "email": email}
            token = jwt.encode({"alg": "RS256", "kid": "only"}, claims, key)
            self.answer({"access_token": "-", "token_type": "Bearer", "expires_in": 600, "id_token": token})

        def answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
