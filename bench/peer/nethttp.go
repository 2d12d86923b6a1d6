package peer

import (
	"net/http"

	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
)

// Pair is the same application with a middleware and without it.
type Pair struct{ Protected, Bare http.Handler }

// Echo returns an application of Echo with echo-jwt.
func Echo(key []byte) Pair {
	protected, bare := echo.New(), echo.New()
	protected.Use(echojwt.JWT(key))
	protected.GET("/", func(c echo.Context) error {
		subject, err := c.Get("user").(*jwt.Token).Claims.GetSubject()
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, subject)
	})
	bare.GET("/", func(c echo.Context) error {
		_ = c.Get("user")
		return c.String(http.StatusOK, "open")
	})
	return Pair{protected, bare}
}

// Gin returns an application of Gin with gin-jwt.
func Gin(key []byte) (Pair, error) {
	gin.SetMode(gin.ReleaseMode)
	middleware, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm: "benchmark", Key: key, IdentityKey: "sub", Authenticator: func(*gin.Context) (any, error) { return nil, errRefused },
	})
	if err != nil {
		return Pair{}, err
	}
	protected, bare := gin.New(), gin.New()
	protected.Use(middleware.MiddlewareFunc())
	protected.GET("/", func(c *gin.Context) { c.String(http.StatusOK, c.GetString("sub")) })
	bare.GET("/", func(c *gin.Context) {
		_ = c.GetString("sub")
		c.String(http.StatusOK, "open")
	})
	return Pair{protected, bare}, nil
}

// Chi returns an application of chi with jwtauth.
func Chi(key []byte) Pair {
	auth := jwtauth.New("HS256", key, nil)
	protected, bare := chi.NewRouter(), chi.NewRouter()
	protected.Use(jwtauth.Verifier(auth), jwtauth.Authenticator(auth))
	protected.Get("/", func(w http.ResponseWriter, r *http.Request) {
		parsed, _, err := jwtauth.FromContext(r.Context())
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(parsed.Subject()))
	})
	bare.Get("/", func(w http.ResponseWriter, r *http.Request) {
		_ = r.Context().Value(jwtauth.TokenCtxKey)
		_, _ = w.Write([]byte("open"))
	})
	return Pair{protected, bare}
}
