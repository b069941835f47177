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
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	answer, err := t.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
}

// send sends a request as ask does, and returns an answer that is no error and has a body to be read and closed.
func (t *target) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	if t.admin == config.Off {
		return nil, usageError{errors.New("--admin (EDGECACHE_ADMIN) is off: give the address of the admin frontend")}
	}
	request, err := t.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: is \"edgecache run\" or \"edgecache proxy\" there? (--admin, EDGECACHE_ADMIN)", err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }() // it is only read
	return nil, refusal(answer)
}

// refusal returns the error that an answer is.
func refusal(answer *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	var said struct {
		Error string `json:"error"`
	}
	switch _ = json.Unmarshal(text, &said); { // it may be no JSON
	case answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s (--admin-token, EDGECACHE_ADMIN_TOKEN)", said.Error)
	case said.Error != "":
		return errors.New(said.Error)
	default:
		return errors.New(answer.Status)
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
