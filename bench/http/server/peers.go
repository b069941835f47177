package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Edgecache starts the program's proxy in front of origin, a URL, with further arguments: without plugins, and everything
// else as it comes.
func Edgecache(ctx context.Context, name, program, origin string, core int, args ...string) (*Server, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	base := []string{"proxy", "--listen", "{addr}", "--to", origin, "--admin", "{admin}", "--no-plugins", "--log-level", "warn"}
	return Start(ctx, Spec{Name: name, Program: program, Args: append(base, args...), Env: procs(core), Core: core})
}

// Program starts a small server of this repository, which takes -listen, with further arguments.
func Program(ctx context.Context, name, program string, core int, args ...string) (*Server, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	return Start(ctx, Spec{Name: name, Program: program, Args: append([]string{"-listen", "{addr}"}, args...), Env: procs(core), Core: core})
}

// procs tells a Go program how many cores it has.
func procs(core int) []string {
	if core == Any {
		return nil
	}
	return []string{"GOMAXPROCS=1"}
}

// Nginx starts nginx with one worker as a cache in front of origin. extra are further directives of the http block, by lines.
func Nginx(ctx context.Context, name, origin string, core int, extra ...string) (*Server, error) {
	conf := fmt.Sprintf(nginxConf, user(), strings.Join(extra, "\n\t"), strings.TrimPrefix(origin, "http://"))
	return Start(ctx, Spec{
		Name: name, Program: sbin("nginx"), Args: []string{"-p", "{dir}", "-e", "stderr", "-c", "{dir}/nginx.conf"},
		Files: map[string]string{"nginx.conf": conf}, Core: core,
	})
}

// nginxConf caches like that of the public test suite. Its connections to the origin and from clients stay open.
const nginxConf = `daemon off;
%s
worker_processes 1;
pid {dir}/pid;
events { worker_connections 4096; }
http {
	access_log off;
	default_type text/plain;
	client_body_temp_path {dir}/body;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	proxy_temp_path {dir}/temp;
	proxy_cache_path {dir}/cache levels=1:2 keys_zone=all:8m max_size=1000m inactive=600m use_temp_path=off;
	keepalive_requests 100000000;
	%s
	upstream origin { server %s; keepalive 128; keepalive_requests 100000000; }
	server {
		listen {addr} backlog=4096;
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_cache all;
			proxy_cache_revalidate on;
		}
	}
}
`

// user keeps nginx's worker able to read its private folder.
func user() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// Varnish starts Varnish as it comes in front of origin, with further arguments.
func Varnish(ctx context.Context, name, origin string, core int, args ...string) (*Server, error) {
	base := []string{
		"-j", "none", "-F", "-a", "{addr}", "-b", strings.TrimPrefix(origin, "http://"), "-n", "{dir}/varnish", "-s", "malloc,1g",
	}
	return Start(ctx, Spec{Name: name, Program: sbin("varnishd"), Args: append(base, args...), Core: core})
}

// sbin finds a program where Debian puts servers, which need not be in PATH.
func sbin(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return "/usr/sbin/" + name
}
