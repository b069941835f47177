;; refused "_initialize: start: trap: unreachable"
(func (export "_initialize")  unreachable)
