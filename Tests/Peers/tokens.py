"""Tokens, good and bad, with the verdict of the admin library on each: {"certificates": {...}, "cases": [[name, token, user or null], ...]}."""
import base64
import datetime
import http.server
import json
import threading
import time

import firebase_admin
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from firebase_admin import _token_gen, auth, credentials

PROJECT = "demo"
now = int(time.time())


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(today - day).not_valid_after(today + day).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


keys = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048) for kid in ["one", "two"]}
stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
certificates = {kid: certificate(key) for kid, key in keys.items()}


def sign(key, header, claims, digest=hashes.SHA256()):
    text = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    return f"{text}.{encode(key.sign(text.encode(), padding.PKCS1v15(), digest))}"


good = {
    "iss": f"https://securetoken.google.com/{PROJECT}", "aud": PROJECT, "auth_time": now - 10, "sub": "ana", "user_id": "ana", "iat": now - 10,
    "exp": now + 3600, "firebase": {"sign_in_provider": "password"},
}
head = {"alg": "RS256", "kid": "one", "typ": "JWT"}


def changed(base, **changes):
    made = dict(base)
    for name, value in changes.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = value
    return made


cases = [("good", sign(keys["one"], head, good)), ("second key", sign(keys["two"], changed(head, kid="two"), good))]
for name, changes in {
    "other audience": {"aud": "other"}, "no audience": {"aud": None}, "other issuer": {"iss": "https://securetoken.google.com/other"}, "no issuer": {"iss": None},
    "empty subject": {"sub": ""}, "no subject": {"sub": None}, "subject of 128": {"sub": "a" * 128}, "subject of 129": {"sub": "a" * 129}, "number as subject": {"sub": 7},
    "expired": {"exp": now - 3600, "iat": now - 7200}, "from the future": {"iat": now + 3600}, "no expiry": {"exp": None}, "no issue time": {"iat": None},
    "custom token": {"aud": "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"},
}.items():
    cases.append((name, sign(keys["one"], head, changed(good, **changes))))
cases += [
    ("unknown key", sign(keys["one"], changed(head, kid="three"), good)), ("no key", sign(keys["one"], changed(head, kid=None), good)),
    ("other key's", sign(keys["two"], head, good)), ("stranger", sign(stranger, head, good)), ("hs256", sign(keys["one"], changed(head, alg="HS256"), good)),
    ("sha512", sign(keys["one"], head, good, hashes.SHA512())), ("none", f"{encode(json.dumps({'alg': 'none', 'kid': 'one'}).encode())}.{encode(json.dumps(good).encode())}."),
    ("cut", sign(keys["one"], head, good)[:-10]), ("two parts", sign(keys["one"], head, good).rsplit(".", 1)[0]), ("nonsense", "a.b.c"), ("empty parts", ".."),
]


class Certificates(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "public, max-age=3600")
        self.end_headers()
        self.wfile.write(json.dumps(certificates).encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Certificates)
threading.Thread(target=server.serve_forever, daemon=True).start()
_token_gen.ID_TOKEN_CERT_URI = f"http://127.0.0.1:{server.server_port}/"


class Nobody(credentials.Base):
    def get_credential(self):
        return None


firebase_admin.initialize_app(Nobody(), {"projectId": PROJECT})
verdicts = []
for name, token in cases:
    try:
        user = auth.verify_id_token(token, clock_skew_seconds=60)["uid"]
    except Exception:  # noqa: BLE001: every reason is a refusal
        user = None
    verdicts.append([name, token, user])
print(json.dumps({"certificates": certificates, "cases": verdicts}))
