#include "tools/kith/serve.hpp"

namespace kith::cli {

int ask_and_serve(Context& context, const Question& question,
                  const std::function<void(Output&, const node::Json&)>& print) {
  const Answer answer = ask(context, question);
  if (answer.exit != 0) return answer.exit;
  if (!context.out.options().json) print(context.out, answer.done);
  if (!answer.own) return 0;
  // Without the text nobody can come: there is nothing to serve for.
  if (const int code = finish_output(context); code != 0) return code;
  context.out.note("serving until Ctrl-C; kith start keeps a node running");
  (void)answer.own->wait(context.signals);
  return 0;
}

}  // namespace kith::cli
