//! A small platform of three components, for the demo.

use std::io;
use std::path::Path;

use super::make_repository;

/// The version that the sample's first tag releases.
pub const SAMPLE_VERSION: &str = "1.1.0";

const API: &str = "\
# The service behind the dashboard
FROM python:3.12-slim
ARG APP_VERSION
ENV APP_VERSION=$APP_VERSION
WORKDIR /app
COPY api/ /app/
RUN echo installing the service
LABEL org.opencontainers.image.version=$APP_VERSION
CMD [\"python\", \"server.py\"]
";

const FRONTEND: &str = "\
FROM node:22-slim AS build
ARG APP_VERSION
WORKDIR /src
COPY frontend/ /src/
RUN echo bundling the pages
FROM nginx:1.27-alpine
COPY --from=build /src /usr/share/nginx/html
";

const TERMINAL: &str = "\
FROM alpine:3.20
ARG APP_VERSION
RUN echo preparing the shell
COPY terminal/entry.sh /entry.sh
ENTRYPOINT [\"/entry.sh\"]
";

/// Makes the sample in `directory` with the tag of [`SAMPLE_VERSION`], and gives its commit.
pub fn make_sample(directory: &Path) -> io::Result<String> {
    let files = [
        ("README.md", "# A sample platform\n"),
        (".dockerignore", "docs\n**/*.log\n"),
        ("docs/notes.md", "not needed to build anything\n"),
        ("api/Dockerfile", API),
        ("api/server.py", "print('serving')\n"),
        ("frontend/Dockerfile", FRONTEND),
        ("frontend/index.html", "<!doctype html><title>sample</title>\n"),
        ("terminal/Dockerfile", TERMINAL),
        ("terminal/entry.sh", "#!/bin/sh\nexec sh\n"),
    ];
    make_repository(directory, &files, &[&format!("v{SAMPLE_VERSION}")])
}
