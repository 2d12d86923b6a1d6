"""PyJWT's part: the job on standard input, the report on standard output. See interop_test.go."""
import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.request

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

job = json.load(sys.stdin)
with urllib.request.urlopen(job["jwks_url"]) as answer:
    jwks = jwt.PyJWKSet.from_dict(json.load(answer))


def verify(alg, token):
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "at+jwt":
        raise ValueError("typ")
    if alg == "HS256":
        key = HKDF(hashes.SHA256(), 32, b"", b"fiberjwt/v1/access/users").derive(job["secret"].encode())
    else:
        key = next(k.key for k in jwks.keys if k.key_id == header.get("kid"))
    return jwt.decode(token, key, algorithms=[alg], issuer=job["issuer"], audience=job["audience"], options={"require": ["exp"]})


report = {"version": jwt.__version__, "verified": [], "refused": [], "passed": [], "tokens": [], "hostile": [], "jwks": {"keys": []}}
for good in job["good"]:
    payload = verify(good["alg"], good["token"])
    assert payload["sub"] == "1" and payload["kind"] == "users"
    report["verified"].append(good["alg"])
for bad in job["bad"]:
    try:
        verify(bad["alg"], bad["token"])
        report["passed"].append(bad["attack"])
    except Exception:
        report["refused"].append(bad["attack"])

curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def pair(alg):
    if alg in curves:
        return ec.generate_private_key(curves[alg])
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


def jwk(alg, key):
    """By hand: PyJWT 2.6 writes no private members apart, but also no alg."""
    members = {"kid": alg, "alg": alg, "use": "sig"}
    if alg in curves:
        size = (key.curve.key_size + 7) // 8
        n = key.public_numbers()
        names = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
        return members | {"kty": "EC", "crv": names[alg], "x": number(n.x, size), "y": number(n.y, size)}
    if alg == "EdDSA":
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return members | {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    n = key.public_numbers()
    return members | {"kty": "RSA", "n": number(n.n), "e": number(n.e)}


now = int(time.time())
claims = {"iss": "https://pyjwt.example", "aud": job["audience"], "sub": "peer|1", "iat": now, "exp": now + 600}
keys = {}
for alg in ["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]:
    keys[alg] = pair(alg)
    report["jwks"]["keys"].append(jwk(alg, keys[alg].public_key()))
    report["tokens"].append({"alg": alg, "token": jwt.encode(claims, keys[alg], alg, {"kid": alg, "typ": "at+jwt"})})
shared = claims | {"iss": claims["iss"] + "/shared"}
report["tokens"].append({"alg": "HS256", "token": jwt.encode(shared, job["shared"], "HS256", {"typ": "at+jwt"})})


def raw(header, payload, sign):
    text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(payload).encode())
    return text + "." + sign(text)


def es(key, size):
    def sign(text):
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256() if size == 32 else hashes.SHA384())))
        return b64(r.to_bytes(size, "big") + s.to_bytes(size, "big"))

    return sign


header = {"alg": "ES256", "kid": "ES256", "typ": "at+jwt"}
good = es(keys["ES256"], 32)
pem = keys["RS256"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
for attack, token in {
    "none": raw(header | {"alg": "none"}, claims, lambda _: ""),
    "HS256 with the PEM": raw(header | {"alg": "HS256", "kid": "RS256"}, claims, lambda text: b64(hmac.new(pem, text.encode(), hashlib.sha256).digest())),
    "wrong typ": raw(header | {"typ": "JWT"}, claims, good),
    "no typ": raw({"alg": "ES256", "kid": "ES256"}, claims, good),
    "crit": raw(header | {"crit": ["exp"]}, claims, good),
    "wrong curve": raw(header | {"kid": "ES384"}, claims, es(keys["ES384"], 48)),
    "DER signature": raw(header, claims, lambda text: b64(keys["ES256"].sign(text.encode(), ec.ECDSA(hashes.SHA256())))),
    "unknown kid": raw(header | {"kid": "x"}, claims, good),
    "another key": raw(header, claims, es(pair("ES256"), 32)),
    "expired": raw(header, claims | {"exp": now - 60}, good),
    "no exp": raw(header, {k: v for k, v in claims.items() if k != "exp"}, good),
    "wrong audience": raw(header, claims | {"aud": "x"}, good),
    "wrong issuer": raw(header, claims | {"iss": "x"}, good),
}.items():
    report["hostile"].append({"attack": attack, "token": token})
report["control"] = raw(header, claims, good)
json.dump(report, sys.stdout)
