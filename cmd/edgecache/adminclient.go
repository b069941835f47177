package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
)

// maxAnswer bounds what is read from the admin frontend.
const maxAnswer = 64 << 20

// ask sends a request to the admin frontend, with body in JSON unless it is nil, and returns the body of the answer. An
// answer that is an error is returned as one.
func (t *target) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	if t.admin == config.Off {
		return nil, usageError{errors.New("--admin (EDGECACHE_ADMIN) is off: give the address of the admin frontend")}
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	request, err := t.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: is \"edgecache run\" there? (--admin, EDGECACHE_ADMIN)", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 == 2 {
		return text, nil
	}
	var refusal struct {
		Error string `json:"error"`
	}
	switch _ = json.Unmarshal(text, &refusal); { // it may be no JSON
	case answer.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s (--admin-token, EDGECACHE_ADMIN_TOKEN)", refusal.Error)
	case refusal.Error != "":
		return nil, errors.New(refusal.Error)
	default:
		return nil, errors.New(answer.Status)
	}
}

func (t *target) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var text []byte
	var err error
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+t.admin+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set(admin.ChangeHeader, "1")
	if t.token != "" {
		request.Header.Set("Authorization", "Bearer "+t.token)
	}
	return request, nil
}
