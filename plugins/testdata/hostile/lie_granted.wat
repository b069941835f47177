;; Needs what nobody granted.
;; manifest {"needs": ["value"]}
;; refused "needs capability \"value\", which it was not granted"
(import "edgecache_1" "value_read" (func (param i32 i32 i32) (result i32)))
