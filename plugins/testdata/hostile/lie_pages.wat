;; manifest {"memory_pages": 100000}
;; refused "memory_pages 100000: 1 to 65536 are possible"
