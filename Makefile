# Shorthands for .ci/do, which needs no make.
.PHONY: demo test setup probes
demo test setup probes:
	sh .ci/do $@
