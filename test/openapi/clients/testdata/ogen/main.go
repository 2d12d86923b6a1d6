package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/ogen-go/ogen/ogenerrors"
)

// session sends its token in a header, and no cookies.
type session struct{ access string }

func (s *session) Bearer(context.Context, OperationName) (Bearer, error) {
	return Bearer{Token: s.access}, nil
}

func (*session) CookieHostHTTPUsers(context.Context, OperationName) (c CookieHostHTTPUsers, err error) {
	return c, ogenerrors.ErrSkipClientSecurity
}

func (*session) CookieHostHTTPTeachers(context.Context, OperationName) (c CookieHostHTTPTeachers, err error) {
	return c, ogenerrors.ErrSkipClientSecurity
}

func (*session) CookieSecureUsersRefresh(context.Context, OperationName) (c CookieSecureUsersRefresh, err error) {
	return c, ogenerrors.ErrSkipClientSecurity
}

func (*session) CookieSecureTeachersRefresh(context.Context, OperationName) (c CookieSecureTeachersRefresh, err error) {
	return c, ogenerrors.ErrSkipClientSecurity
}

func main() {
	ctx, url, email := context.Background(), os.Args[1], os.Args[2]
	signedIn := &session{}
	client, err := NewClient(url, signedIn)
	check(err)
	answer, err := client.UsersRegister(ctx, &UsersRegisterReq{Email: email, Password: "a pony for the trip", FullName: NewOptString("Ann")})
	check(err)
	signedIn.access = answer.(*UsersRegisterCreatedHeaders).Response.AccessToken.Value
	me, err := client.UsersMe(ctx)
	check(err)
	waiting, err := client.TeachersRegister(ctx, &TeachersRegisterReq{Login: email, Password: "a pony for the trip"})
	check(err)
	if created := waiting.(*TeachersRegisterCreatedHeaders).Response; created.AccessToken.Set || created.Entity.Login != email {
		log.Fatal("the registration of a teacher returned tokens")
	}
	again, err := client.UsersRegister(ctx, &UsersRegisterReq{Email: email, Password: "a pony for the trip"})
	check(err)
	fmt.Println(me.(*Users).FullName, 409, again.(*UsersRegisterConflictHeaders).Response.Error)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
