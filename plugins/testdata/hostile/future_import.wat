;; refused "import edgecache_2.log: is of an unknown module"
(import "edgecache_2" "log" (func (param i32 i32 i32)))
