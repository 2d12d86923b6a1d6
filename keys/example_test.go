package keys_test

import (
	"fmt"

	"github.com/fiberjwt/fiberjwt/keys"
)

// A key from the environment, as openssl writes it.
func ExampleParsePEM() {
	// openssl genpkey -algorithm ed25519
	key, err := keys.ParsePEM([]byte(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----`))
	if err != nil {
		panic(err)
	}
	fmt.Println(key.Algorithm(), key.Private())
	// Output: EdDSA true
}

// Rotation: add the key, wait until the verifiers have fetched it, then promote it.
func ExampleSet() {
	old, err := keys.Generate(keys.ES256)
	if err != nil {
		panic(err)
	}
	set, err := keys.NewSet(old)
	if err != nil {
		panic(err)
	}

	key, err := keys.Generate(keys.ES256)
	if err != nil {
		panic(err)
	}
	fmt.Println(set.Add(key)) // in all processes; then wait an hour
	fmt.Println(set.Promote(key.ID()))
	signer, _ := set.Signer()
	fmt.Println(signer.ID() == key.ID(), len(set.All()))
	// Output:
	// <nil>
	// <nil>
	// true 2
}

// A damaged or weak key is refused when it is made.
func ExampleParsePEM_incorrect() {
	_, err := keys.ParsePEM([]byte("not a key"))
	fmt.Println(err != nil)
	// Output: true
}
