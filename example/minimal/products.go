package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
)

// openDB opens a SQLite file and creates missing tables.
func openDB(address string) (*bun.DB, error) {
	ctx := context.Background()
	conn, err := sql.Open("sqlite3", address+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db := bun.NewDB(conn, sqlitedialect.New())
	_, users := db.NewCreateTable().Model((*User)(nil)).IfNotExists().Exec(ctx)
	_, products := db.NewCreateTable().Model((*Product)(nil)).IfNotExists().Exec(ctx)
	return db, errors.Join(users, products, fiberjwt.Migrate(ctx, db))
}

// shop has the handlers for the products.
type shop struct{ db *bun.DB }

func (s shop) addRoutes(products fiber.Router) {
	products.Get("/", s.list)
	products.Get("/:id", s.get)
	products.Post("/", s.add)
	products.Delete("/:id", s.remove)
}

func (s shop) list(c *fiber.Ctx) error {
	products := []Product{}
	if err := s.db.NewSelect().Model(&products).Order("id").Scan(c.UserContext()); err != nil {
		return err
	}
	return c.JSON(products)
}

func (s shop) get(c *fiber.Ctx) error {
	var product Product
	err := s.db.NewSelect().Model(&product).Where("id = ?", c.Params("id")).Scan(c.UserContext())
	if errors.Is(err, sql.ErrNoRows) {
		return fiber.ErrNotFound
	}
	if err != nil {
		return err
	}
	return c.JSON(product)
}

func (s shop) add(c *fiber.Ctx) error {
	var product Product
	if err := c.BodyParser(&product); err != nil || product.Title == "" || product.Price < 0 {
		return fiber.ErrBadRequest
	}
	product.ID = 0 // the database chooses the ID
	if _, err := s.db.NewInsert().Model(&product).Exec(c.UserContext()); err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(product)
}

func (s shop) remove(c *fiber.Ctx) error {
	if _, err := s.db.NewDelete().Model((*Product)(nil)).Where("id = ?", c.Params("id")).Exec(c.UserContext()); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
