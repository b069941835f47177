;; Imports what it does not say that it needs.
;; manifest {"needs": []}
;; refused "belongs to capability \"rng\": list it under needs in the manifest"
(import "edgecache_1" "random" (func $random (param i32 i32)))
