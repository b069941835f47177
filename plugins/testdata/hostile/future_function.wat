;; refused "import edgecache_1.teleport: is not known to this version of the host"
(import "edgecache_1" "teleport" (func))
