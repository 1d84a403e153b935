#include "proto/swarm/op.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/swarm/op_codec.hpp"

namespace kith {
namespace {

constexpr std::string_view kOpLabel = "kith/1 op";

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

SignPublic public_key(const DeviceId& device) { return *SignPublic::from(device.view()); }

Buffer encode_op(Bytes body, const Signature& signature) {
  Buffer out;
  out.reserve(body.size() + 80);
  bencode::Writer(out).list().raw(body).string(signature.view()).end();
  return out;
}

Error malformed(const char* what) {
  return peer_error(Errc::kMalformed, std::string("roster operation: ") + what);
}

}  // namespace

std::string_view Op::type() const {
  return std::visit([](const auto& b) { return std::decay_t<decltype(b)>::kType; }, body);
}

std::optional<DeviceId> Op::target() const {
  return std::visit(
      Overloaded{[](const GenesisBody& b) -> std::optional<DeviceId> { return b.founder.device; },
                 [](const AddBody& b) -> std::optional<DeviceId> { return b.device.device; },
                 [](const RemoveBody& b) -> std::optional<DeviceId> { return b.device; },
                 [](const SetRoleBody& b) -> std::optional<DeviceId> { return b.device; },
                 [](const auto&) -> std::optional<DeviceId> { return std::nullopt; }},
      body);
}

const EpochInfo* Op::epoch() const {
  const auto pointer = [](const std::optional<EpochInfo>& e) { return e ? &*e : nullptr; };
  return std::visit(
      Overloaded{[](const GenesisBody& b) -> const EpochInfo* { return &b.epoch; },
                 [](const EpochBody& b) -> const EpochInfo* { return &b.epoch; },
                 [&](const RemoveBody& b) -> const EpochInfo* { return pointer(b.epoch); },
                 [&](const SetRoleBody& b) -> const EpochInfo* { return pointer(b.epoch); },
                 [](const auto&) -> const EpochInfo* { return nullptr; }},
      body);
}

bool Op::is_self_removal() const {
  const auto* remove = std::get_if<RemoveBody>(&body);
  return remove != nullptr && remove->device == author;
}

OpId op_id(Bytes encoded) { return OpId{blake2b_256(encoded)}; }

Result<Op> sign_op(const SignKeys& author, std::vector<OpId> parents, OpBody body) {
  std::sort(parents.begin(), parents.end());
  Op op;
  op.author = *DeviceId::from(author.pub.view());
  op.parents = std::move(parents);
  op.body = std::move(body);
  const Buffer encoded_body = encode_body(op);
  op.signature = author.sign(kOpLabel, encoded_body);
  op.encoded = encode_op(encoded_body, op.signature);
  if (op.encoded.size() > limits::kOpMax) {
    return local_error(Errc::kLimit, "the roster operation is too large");
  }
  op.id = op_id(op.encoded);
  return op;
}

Result<Op> decode_op(Bytes encoded) {
  if (encoded.size() > limits::kOpMax)
    return peer_error(Errc::kLimit, "roster operation too large");
  KITH_TRY(const auto document, bencode::parse(encoded));
  const auto root = document.root();
  if (root.kind() != bencode::Kind::kList || root.size() != 2)
    return malformed("not a list of two");
  auto element = root.begin();
  const auto body = *element;
  const auto signature_bytes = (*++element).string();
  const auto signature = signature_bytes ? Signature::from(*signature_bytes) : std::nullopt;
  if (!signature) return malformed("no signature");
  KITH_TRY(Op op, decode_body(body));
  if (!equal(encode_body(op), body.raw())) return malformed("holds what does not belong in it");
  op.signature = *signature;
  op.encoded = to_buffer(encoded);
  op.id = op_id(encoded);
  return op;
}

Result<void> verify_op(const Op& op) {
  if (!verify(public_key(op.author), kOpLabel, encode_body(op), op.signature)) {
    return peer_error(Errc::kVerification, "roster operation: the signature is wrong");
  }
  const DeviceBinding* binding = nullptr;
  if (const auto* genesis = std::get_if<GenesisBody>(&op.body)) binding = &genesis->founder;
  if (const auto* add = std::get_if<AddBody>(&op.body)) binding = &add->device;
  if (binding != nullptr) {
    KITH_CHECK(DeviceBinding::decode(binding->encode()));
  }
  return {};
}

}  // namespace kith
