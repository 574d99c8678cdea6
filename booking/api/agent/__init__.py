"""The agent's side of the line (`/agent/v1`): `calls` has its routes, `document` their OpenAPI document."""
