;; Begins with 4 GiB.
;; refused "memory begins with 65536 pages: at most 4 are allowed"
(memory (export "memory") 65536)
