// SPDX-License-Identifier: Apache-2.0
#include "app/explain_command.h"

#include <algorithm>
#include <cstdio>

#include "auth/actions.h"
#include "auth/htpasswd.h"
#include "control/explain.h"

namespace fairlead::app {
namespace {

int fail(const std::string& reason) {
  std::fprintf(stderr, "fairlead: %s\n", reason.c_str());
  return 1;
}

// A name that is not in the users' file may still be a JWT's subject: rules treat both alike.
auth::Caller caller_called(const config::Config& config, const std::string& name) {
  if (name.empty() || name == auth::kAnonymousName) return {};
  bool is_user = false;
  if (!config.auth.users.empty()) {
    const auto file = auth::HtpasswdFile::read(config.auth.users);
    is_user = file && file->find(name) != nullptr;
  }
  const bool has_relayed =
      std::ranges::any_of(config.registries, &upstream::RegistryOptions::relays_credentials);
  if (!is_user && !has_relayed && config.auth.jwt.empty()) {
    std::fprintf(stderr, "fairlead: warning: nobody can log in as %s: no such user is configured\n",
                 name.c_str());
  }
  return {.kind = is_user ? auth::Caller::Kind::User : auth::Caller::Kind::Issued, .name = name};
}

}  // namespace

int run_explain_command(const config::Config& config, const ExplainCommand& command) {
  auto question = control::parse_image(config, command.image);
  if (!question) return fail(question.error());
  if (!command.host.empty()) question->host = command.host;
  question->name_space = command.name_space;
  for (const oci::Action action : {oci::Action::Pull, oci::Action::Push, oci::Action::Delete}) {
    if (command.action == oci::to_string(action)) question->action = action;
  }
  question->caller = caller_called(config, command.as);
  const auto explanation = control::explain(config, *question);
  const std::string text = command.is_json ? control::to_json(*question, explanation) + "\n"
                                           : control::to_text(*question, explanation);
  std::fputs(text.c_str(), stdout);
  return explanation.is_allowed ? 0 : 1;
}

}  // namespace fairlead::app
