package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ParsePEM reads one key: a private key in PKCS #8, PKCS #1 or SEC 1, a public key
// in PKIX or PKCS #1, or the public key of a certificate. Nothing else of a
// certificate is checked, not even its dates. Of a chain of certificates the first
// is used.
//
// The type of the key determines its algorithm. For an RSA key you must name the
// algorithm. If algorithms are given, the key must be for one of them:
//
//	key, err := keys.ParsePEM(text)             // P-256: ES256
//	key, err := keys.ParsePEM(text, keys.PS256) // RSA
//
// Errors contain nothing of text.
func ParsePEM(text []byte, algorithms ...Algorithm) (Key, error) {
	key, err := pemKey(text)
	if err != nil {
		return Key{}, err
	}
	return fromCrypto(key, "", algorithms)
}

// pemKey returns the one key in text, as a type of package crypto.
func pemKey(text []byte) (key any, err error) {
	certificates := 0
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			certificates++
			if certificates > 1 { // the rest of a chain
				continue
			}
		}
		if block.Type == "EC PARAMETERS" { // what openssl ecparam writes before the key
			continue
		}
		if key != nil {
			return nil, errors.New("keys: the PEM has several keys: give one")
		}
		if key, err = blockKey(block); err != nil {
			return nil, err
		}
	}
	if key == nil {
		return nil, errors.New("keys: the text has no PEM block: it must begin with -----BEGIN")
	}
	return key, nil
}

func blockKey(block *pem.Block) (key any, err error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("keys: the PEM is encrypted: decrypt it first, for instance by openssl pkey")
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	default:
		return nil, errors.New("keys: the PEM block is neither a key nor a certificate")
	}
	if err != nil {
		// The error of x509 may quote the key.
		return nil, errors.New("keys: the PEM block cannot be read as the type in its header")
	}
	return key, nil
}

// fromCrypto makes a Key from a type of package crypto. named is the algorithm that
// its document names, "" for none.
func fromCrypto(key any, named Algorithm, algorithms []Algorithm) (Key, error) {
	k, err := typed(key, named, algorithms)
	if err != nil {
		return Key{}, err
	}
	if named != "" && named != k.algorithm {
		return Key{}, fmt.Errorf("keys: the key names another algorithm than %s, which belongs to its type", k.algorithm)
	}
	if len(algorithms) > 0 && !slices.Contains(algorithms, k.algorithm) {
		return Key{}, unfit(fmt.Sprintf("keys: the key is for %s, expected is %s", k.algorithm, list(algorithms)))
	}
	return k, nil
}

func typed(key any, named Algorithm, algorithms []Algorithm) (Key, error) {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return ECDSA(key)
	case *ecdsa.PublicKey:
		return ECDSA(key)
	case ed25519.PrivateKey:
		return Ed25519(key)
	case ed25519.PublicKey:
		return Ed25519(key)
	case *rsa.PrivateKey:
		return withAlgorithm(key, named, algorithms)
	case *rsa.PublicKey:
		return withAlgorithm(key, named, algorithms)
	case Secret:
		return HMAC(named, key)
	}
	return Key{}, fmt.Errorf("keys: a %T signs no tokens: use an ECDSA, Ed25519 or RSA key", key)
}

// withAlgorithm makes an RSA key. It could be used for six algorithms, and must be
// for one.
func withAlgorithm[K *rsa.PrivateKey | *rsa.PublicKey](key K, named Algorithm, algorithms []Algorithm) (Key, error) {
	if named != "" {
		return RSA(named, key)
	}
	ours := slices.DeleteFunc(slices.Clone(algorithms), func(a Algorithm) bool { return !slices.Contains(rsaAlgorithms, a) })
	if len(ours) != 1 {
		return Key{}, errors.New("keys: the RSA key does not name its algorithm: pass one of RS256, RS384, RS512, PS256, PS384 and PS512")
	}
	return RSA(ours[0], key)
}

func list(algorithms []Algorithm) string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return strings.Join(names, ", ")
}
