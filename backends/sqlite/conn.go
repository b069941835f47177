package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	engine "modernc.org/sqlite"
)

// conn is one connection to the database with its prepared statements. It is used by one goroutine at a time. It stands
// on the driver itself, without the pool of database/sql (docs/RATIONALE.md).
type conn struct {
	driver.Conn
	stmts map[string]*stmt
	row   [4]driver.Value // the columns of the row that was read last
}

// stmt is a prepared statement with room for its arguments.
type stmt struct {
	driver.Stmt
	args []driver.NamedValue
}

// dial opens the database at path, which may be ":memory:".
func dial(path string) (*conn, error) {
	c, err := (&engine.Driver{}).Open(dsn(path))
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, stmts: make(map[string]*stmt)}, nil
}

// dsn names the file so that no character of its path is taken for something else.
func dsn(path string) string {
	if path == Memory {
		return path
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// prepare returns the statement for query, prepared once, with its arguments in place.
func (c *conn) prepare(query string, args []driver.Value) (*stmt, error) {
	s := c.stmts[query]
	if s == nil {
		prepared, err := c.Prepare(query)
		if err != nil {
			return nil, err
		}
		s = &stmt{Stmt: prepared, args: make([]driver.NamedValue, len(args))}
		c.stmts[query] = s
	}
	for i, arg := range args {
		s.args[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return s, nil
}

// exec runs a statement and returns how many rows it changed. Contexts don't reach the engine: it would start a goroutine
// for each, and statements here are short.
func (c *conn) exec(query string, args ...driver.Value) (int64, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	defer clear(s.args)
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each calls fn after each row of the query, which is then in c.row, until fn returns an error, which it returns. The
// query has width columns.
func (c *conn) each(width int, fn func() error, query string, args ...driver.Value) (err error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return err
	}
	defer clear(s.args)
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	for err == nil {
		if err = rows.Next(c.row[:width]); err == nil {
			err = fn()
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// first reads the query's first row into c.row and reports whether there is one.
func (c *conn) first(width int, query string, args ...driver.Value) (found bool, err error) {
	err = c.each(width, func() error {
		found = true
		return io.EOF
	}, query, args...)
	return found, err
}

// number returns what the query returns, which is one integer.
func (c *conn) number(query string, args ...driver.Value) (int64, error) {
	if _, err := c.first(1, query, args...); err != nil {
		return 0, err
	}
	n, ok := c.row[0].(int64)
	if !ok {
		return 0, fmt.Errorf("%s returned %v", query, c.row[0])
	}
	return n, nil
}

// blob returns a column of c.row, nil where it is no blob.
func (c *conn) blob(column int) []byte {
	b, _ := c.row[column].([]byte)
	return b
}

// transact runs fn in a transaction that no other process writes beside. It is rolled back where fn or the commit fails,
// or fn panics.
func (c *conn) transact(fn func() error) (err error) {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			_, _ = c.exec("ROLLBACK") // fails where the engine has rolled back itself
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	if _, err := c.exec("COMMIT"); err != nil {
		return err
	}
	committed = true
	return nil
}

// Close closes the statements first: the engine keeps the file open as long as there is one.
func (c *conn) Close() error {
	for _, s := range c.stmts {
		_ = s.Close() // reports the last run's error again
	}
	return c.Conn.Close()
}
