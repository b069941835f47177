package files

import (
	"mime"
	"path"
	"strings"
)

// webTypes are the media types of names on the web, so that they do not depend on the machine's tables.
func webTypes() map[string]string {
	return map[string]string{
		".7z": "application/x-7z-compressed", ".aac": "audio/aac", ".apng": "image/apng", ".avif": "image/avif",
		".br": "application/x-brotli", ".bz2": "application/x-bzip2", ".css": "text/css; charset=utf-8",
		".csv": "text/csv; charset=utf-8", ".gif": "image/gif", ".gz": "application/gzip", ".htm": "text/html; charset=utf-8",
		".html": "text/html; charset=utf-8", ".ico": "image/vnd.microsoft.icon", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
		".js": "text/javascript; charset=utf-8", ".json": "application/json", ".jsonld": "application/ld+json",
		".map": "application/json", ".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
		".mp3": "audio/mpeg", ".mp4": "video/mp4", ".oga": "audio/ogg", ".ogg": "audio/ogg", ".ogv": "video/ogg",
		".opus": "audio/ogg", ".otf": "font/otf", ".pdf": "application/pdf", ".png": "image/png",
		".svg": "image/svg+xml", ".tar": "application/x-tar", ".tgz": "application/gzip", ".ttf": "font/ttf",
		".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".wav": "audio/wav", ".weba": "audio/webm",
		".webm": "video/webm", ".webmanifest": "application/manifest+json", ".webp": "image/webp", ".woff": "font/woff",
		".woff2": "font/woff2", ".xhtml": "application/xhtml+xml", ".xml": "text/xml; charset=utf-8",
		".xz": "application/x-xz", ".zip": "application/zip", ".zst": "application/zstd",
	}
}

// typeByName returns the media type that the name of a file tells, "" for none.
func (h *Handler) typeByName(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t := h.types[ext]; t != "" || ext == "" {
		return t
	}
	return mime.TypeByExtension(ext)
}
