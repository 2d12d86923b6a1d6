package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	ctx, url, email := context.Background(), os.Args[1], os.Args[2]
	client, err := NewClientWithResponses(url)
	check(err)
	name := "Ann"
	ann, err := client.UsersRegisterWithResponse(ctx, UsersRegisterJSONRequestBody{Email: email, Password: "a pony for the trip", FullName: &name})
	check(err)
	bearer := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", string(*ann.JSON201.TokenType)+" "+*ann.JSON201.AccessToken)
		return nil
	}
	me, err := client.UsersMeWithResponse(ctx, bearer)
	check(err)
	waiting, err := client.TeachersRegisterWithResponse(ctx, TeachersRegisterJSONRequestBody{Login: email, Password: "a pony for the trip"})
	check(err)
	if waiting.JSON201.AccessToken != nil || waiting.JSON201.Entity.Login != email {
		log.Fatal("the registration of a teacher returned tokens")
	}
	again, err := client.UsersRegisterWithResponse(ctx, UsersRegisterJSONRequestBody{Email: email, Password: "a pony for the trip"})
	check(err)
	fmt.Println(me.JSON200.FullName, again.StatusCode(), again.JSON409.Error)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
