#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Which step makes a layer, and what the history says of it.

load rules

# ---- 1.10 layers and history ----

@test "1.10: which step makes a layer, and what the history says of it" {
	image --build-arg B=2 <<-'E'
		FROM scratch AS f
		COPY f /
		FROM localhost/bb
		ARG A=1 B
		RUN true
		RUN ["/bin/true"]
		COPY --from=f --chown=1:2 f /
		ADD f d /x/
		WORKDIR /w
		WORKDIR /
		ENV a=1 b="x y"
		LABEL l=1
		EXPOSE 80
		USER 1
		VOLUME /a
		CMD ["a", "b"]
		ENTRYPOINT e
		STOPSIGNAL INT
		SHELL ["/bin/sh", "-c"]
		ONBUILD RUN x
	E
	same "$(layer_count)" 6
	same "$(history | tail -n +2)" 'ARG A=1 B=2
RUN |2 A=1 B=2 /bin/sh -c true # buildkit
RUN |2 A=1 B=2 /bin/true # buildkit
COPY --chown=1:2 f / # buildkit
ADD f d /x/ # buildkit
WORKDIR /w
WORKDIR /
ENV a=1 b=x y
LABEL l=1
EXPOSE [80/tcp]
USER 1
VOLUME [/a]
CMD ["a" "b"]
ENTRYPOINT ["/bin/sh" "-c" "e"]
STOPSIGNAL INT
SHELL [/bin/sh -c]'
}
@test "1.10: a step that changed nothing has a layer all the same" {
	printf 'FROM localhost/bb\nRUN true\nRUN true\n' | image
	same "$(layer_count)" 3
	same "$(layer 1)" "$(layer 2)"
}
