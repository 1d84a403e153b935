#include "proto/swarm/op_codec.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith {
namespace {

using bencode::Value;
using bencode::Writer;

Error malformed(std::string_view what) {
  return peer_error(Errc::kMalformed, "roster operation: " + std::string(what));
}

template <class Fixed>
Buffer concatenated(const std::vector<Fixed>& items) {
  Buffer out;
  out.reserve(items.size() * Fixed::kSize);
  for (const Fixed& item : items) append(out, item.view());
  return out;
}

template <class Fixed>
Result<std::vector<Fixed>> split(const Value& dict, std::string_view key, std::size_t max) {
  const auto bytes = dict.find_string(key);
  if (!bytes || bytes->size() % Fixed::kSize != 0) {
    return malformed("'" + std::string(key) + "' is not a list of items");
  }
  const std::size_t count = bytes->size() / Fixed::kSize;
  if (count > max) return peer_error(Errc::kLimit, "roster operation: too many parents");
  std::vector<Fixed> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(*Fixed::from(bytes->subspan(i * Fixed::kSize, Fixed::kSize)));
  }
  return out;
}

bool strictly_ascending(const std::vector<OpId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

Result<std::vector<OpId>> decode_parents(const Value& dict) {
  KITH_TRY(auto parents, split<OpId>(dict, "p", limits::kOpParentsMax));
  if (!strictly_ascending(parents)) return malformed("parents are not in ascending order");
  return parents;
}

template <class Fixed>
Result<Fixed> required(const Value& dict, std::string_view key) {
  const auto value = dict.find_fixed<Fixed>(key);
  if (!value) return malformed("'" + std::string(key) + "' is missing or of a wrong size");
  return *value;
}

Result<Role> decode_role(const Value& dict) {
  const auto role = dict.find_unsigned<std::uint8_t>("r");
  if (!role || *role > static_cast<std::uint8_t>(Role::kAdmin)) return malformed("no such role");
  return static_cast<Role>(*role);
}

Result<DeviceBinding> decode_binding(const Value& dict) {
  const auto binding = dict.find_dict("b");
  if (!binding) return malformed("no binding");
  KITH_TRY(const auto device, required<DeviceId>(*binding, "d"));
  KITH_TRY(const auto noise, required<DhPublic>(*binding, "s"));
  KITH_TRY(const auto signature, required<Signature>(*binding, "sig"));
  KITH_TRY(const auto wrap, required<DhPublic>(*binding, "w"));
  return DeviceBinding{device, noise, wrap, signature};
}

void write_epoch(Writer& out, const EpochInfo& epoch) {
  KITH_ASSERT(epoch.parents.size() == epoch.parent_secrets.size());
  KITH_ASSERT(epoch.parents.size() <= limits::kOpParentsMax && strictly_ascending(epoch.parents));
  out.key("x").dict();
  out.string("c", epoch.content_hash.view()).integer("e", epoch.number);
  out.string("k", concatenated(epoch.parent_secrets)).string("n", epoch.network_hash.view());
  out.string("p", concatenated(epoch.parents)).string("w", epoch.wraps_hash.view()).end();
}

Result<EpochInfo> decode_epoch(const Value& dict) {
  const auto x = dict.find_dict("x");
  if (!x) return malformed("no epoch");
  EpochInfo out;
  const auto number = x->find_unsigned<std::uint32_t>("e");
  if (!number || *number == 0) return malformed("bad epoch number");
  out.number = *number;
  KITH_TRY(out.content_hash, required<SecretHash>(*x, "c"));
  KITH_TRY(out.network_hash, required<SecretHash>(*x, "n"));
  KITH_TRY(out.wraps_hash, required<SecretHash>(*x, "w"));
  KITH_TRY(out.parents, decode_parents(*x));
  KITH_TRY(out.parent_secrets, split<ParentBox>(*x, "k", limits::kOpParentsMax));
  if (out.parents.size() != out.parent_secrets.size())
    return malformed("a parent without a secret");
  return out;
}

Result<std::optional<EpochInfo>> decode_optional_epoch(const Value& dict) {
  if (!dict.find("x")) return std::optional<EpochInfo>();
  KITH_TRY(auto epoch, decode_epoch(dict));
  if (epoch.parents.empty()) return malformed("an epoch without parents");
  return std::optional<EpochInfo>(std::move(epoch));
}

// --- one writer and one reader per type; keys in ascending order, a and p and t included ---

struct Common {
  const DeviceId& author;
  Buffer parents;
  std::string_view type;
};

void write(Writer& out, const Common& c, const GenesisBody& b) {
  out.string("a", c.author.view()).key("b").raw(b.founder.encode());
  out.string("n", b.device_name.view()).string("p", c.parents).string("s", b.swarm_name.view());
  out.string("t", c.type).string("w", b.wrap.view());
  write_epoch(out, b.epoch);
}

void write(Writer& out, const Common& c, const AddBody& b) {
  out.string("a", c.author.view()).key("b").raw(b.device.encode());
  if (b.invite) out.string("i", b.invite->key.view()).string("j", b.invite->join.view());
  out.string("n", b.name.view()).string("o", b.epoch.view()).string("p", c.parents);
  out.integer("r", static_cast<int>(b.role)).string("t", c.type).string("w", b.wrap.view());
}

void write(Writer& out, const Common& c, const RemoveBody& b) {
  out.string("a", c.author.view()).string("d", b.device.view()).string("p", c.parents);
  out.string("t", c.type);
  if (b.epoch) write_epoch(out, *b.epoch);
}

void write(Writer& out, const Common& c, const SetRoleBody& b) {
  out.string("a", c.author.view()).string("d", b.device.view());
  if (b.given) out.string("o", b.given->epoch.view());
  out.string("p", c.parents).integer("r", static_cast<int>(b.role)).string("t", c.type);
  if (b.given) out.string("w", b.given->wrap.view());
  if (b.epoch) write_epoch(out, *b.epoch);
}

void write(Writer& out, const Common& c, const EpochBody& b) {
  out.string("a", c.author.view()).string("p", c.parents).string("t", c.type);
  write_epoch(out, b.epoch);
}

void write(Writer& out, const Common& c, const WrapBody& b) {
  out.string("a", c.author.view()).string("d", b.device.view()).string("o", b.epoch.view());
  out.string("p", c.parents).string("t", c.type).string("w", b.wrap.view());
}

void write(Writer& out, const Common& c, const InviteBody& b) {
  out.string("a", c.author.view()).integer("e", count(b.expiry)).string("i", b.key.view());
  out.string("j", b.j.view()).string("p", c.parents).integer("r", static_cast<int>(b.role));
  out.string("t", c.type).integer("u", b.uses);
}

void write(Writer& out, const Common& c, const RevokeInviteBody& b) {
  out.string("a", c.author.view()).string("i", b.key.view()).string("p", c.parents);
  out.string("t", c.type);
}

void write(Writer& out, const Common& c, const RenameBody& b) {
  out.string("a", c.author.view());
  if (b.device) out.string("d", b.device->view());
  out.string("n", b.name.view()).string("o", b.epoch.view()).string("p", c.parents);
  out.string("t", c.type);
}

Result<OpBody> read_genesis(const Value& dict) {
  GenesisBody b;
  KITH_TRY(b.founder, decode_binding(dict));
  KITH_TRY(b.swarm_name, required<NameBox>(dict, "s"));
  KITH_TRY(b.device_name, required<NameBox>(dict, "n"));
  KITH_TRY(b.wrap, required<Wrap>(dict, "w"));
  KITH_TRY(b.epoch, decode_epoch(dict));
  if (b.epoch.number != 1 || !b.epoch.parents.empty()) return malformed("not the first epoch");
  return OpBody(std::move(b));
}

Result<OpBody> read_add(const Value& dict) {
  AddBody b;
  KITH_TRY(b.device, decode_binding(dict));
  KITH_TRY(b.role, decode_role(dict));
  KITH_TRY(b.epoch, required<OpId>(dict, "o"));
  KITH_TRY(b.name, required<NameBox>(dict, "n"));
  KITH_TRY(b.wrap, required<Wrap>(dict, "w"));
  if (dict.find("i")) {
    KITH_TRY(const auto key, required<SignPublic>(dict, "i"));
    KITH_TRY(const auto join, required<Signature>(dict, "j"));
    b.invite = AddBody::ByInvite{key, join};
  }
  return OpBody(std::move(b));
}

Result<OpBody> read_remove(const Value& dict) {
  RemoveBody b;
  KITH_TRY(b.device, required<DeviceId>(dict, "d"));
  KITH_TRY(b.epoch, decode_optional_epoch(dict));
  return OpBody(std::move(b));
}

Result<OpBody> read_set_role(const Value& dict) {
  SetRoleBody b;
  KITH_TRY(b.device, required<DeviceId>(dict, "d"));
  KITH_TRY(b.role, decode_role(dict));
  KITH_TRY(b.epoch, decode_optional_epoch(dict));
  if (dict.find("w")) {
    KITH_TRY(const auto epoch, required<OpId>(dict, "o"));
    KITH_TRY(const auto wrap, required<Wrap>(dict, "w"));
    b.given = SetRoleBody::Given{epoch, wrap};
  }
  if (b.given && b.epoch) return malformed("both a wrap and an epoch");
  return OpBody(std::move(b));
}

Result<OpBody> read_epoch(const Value& dict) {
  KITH_TRY(auto epoch, decode_epoch(dict));
  if (epoch.parents.empty()) return malformed("an epoch without parents");
  return OpBody(EpochBody{std::move(epoch)});
}

Result<OpBody> read_wrap(const Value& dict) {
  WrapBody b;
  KITH_TRY(b.device, required<DeviceId>(dict, "d"));
  KITH_TRY(b.epoch, required<OpId>(dict, "o"));
  KITH_TRY(b.wrap, required<Wrap>(dict, "w"));
  return OpBody(std::move(b));
}

Result<OpBody> read_invite(const Value& dict) {
  InviteBody b;
  KITH_TRY(b.key, required<SignPublic>(dict, "i"));
  const auto j = dict.find_string("j");
  if (!j || j->size() != Secret::kSize) return malformed("'j' is missing or of a wrong size");
  b.j = Secret(*j);
  KITH_TRY(b.role, decode_role(dict));
  const auto uses = dict.find_unsigned<std::uint32_t>("u");
  if (!uses || *uses == 0 || *uses > limits::kInviteUsesMax) return malformed("bad number of uses");
  b.uses = *uses;
  const auto expiry = dict.find_unsigned<std::uint64_t>("e");
  if (!expiry) return malformed("bad expiry");
  b.expiry = UnixMillis{static_cast<std::int64_t>(*expiry)};
  return OpBody(std::move(b));
}

Result<OpBody> read_revoke_invite(const Value& dict) {
  KITH_TRY(const auto key, required<SignPublic>(dict, "i"));
  return OpBody(RevokeInviteBody{key});
}

Result<OpBody> read_rename(const Value& dict) {
  RenameBody b;
  if (dict.find("d")) {
    KITH_TRY(b.device, required<DeviceId>(dict, "d"));
  }
  KITH_TRY(b.epoch, required<OpId>(dict, "o"));
  KITH_TRY(b.name, required<NameBox>(dict, "n"));
  return OpBody(std::move(b));
}

struct Reader {
  std::string_view type;
  Result<OpBody> (*read)(const Value&);
};
constexpr Reader kReaders[] = {
    {GenesisBody::kType, read_genesis}, {AddBody::kType, read_add},
    {RemoveBody::kType, read_remove},   {SetRoleBody::kType, read_set_role},
    {EpochBody::kType, read_epoch},     {WrapBody::kType, read_wrap},
    {InviteBody::kType, read_invite},   {RevokeInviteBody::kType, read_revoke_invite},
    {RenameBody::kType, read_rename}};

Result<OpBody> read_body(const Value& dict) {
  const auto type = dict.find_string("t");
  if (!type) return malformed("no type");
  for (const Reader& reader : kReaders) {
    if (reader.type == as_text(*type)) return reader.read(dict);
  }
  return peer_error(Errc::kUnsupported, "roster operation of a type that this version lacks");
}

// What concerns author and parents together with the body.
Result<void> check_form(const Op& op) {
  const bool genesis = std::holds_alternative<GenesisBody>(op.body);
  if (genesis != op.parents.empty()) return malformed("a wrong number of parents");
  if (genesis && *op.target() != op.author) return malformed("a genesis is not by its founder");
  if (const auto* remove = std::get_if<RemoveBody>(&op.body)) {
    if (op.is_self_removal() == remove->epoch.has_value()) {
      return malformed("a removal has an epoch unless the device removes itself");
    }
  }
  return {};
}

}  // namespace

Buffer encode_body(const Op& op) {
  KITH_ASSERT(op.parents.size() <= limits::kOpParentsMax && strictly_ascending(op.parents));
  Buffer out;
  out.reserve(1024);
  const Common common{op.author, concatenated(op.parents), op.type()};
  Writer writer(out);
  writer.dict();
  std::visit([&](const auto& body) { write(writer, common, body); }, op.body);
  writer.end();
  return out;
}

Result<Op> decode_body(const Value& body) {
  if (body.kind() != bencode::Kind::kDict) return malformed("the body is not a dictionary");
  Op op;
  KITH_TRY(op.author, required<DeviceId>(body, "a"));
  KITH_TRY(op.parents, decode_parents(body));
  KITH_TRY(op.body, read_body(body));
  KITH_CHECK(check_form(op));
  return op;
}

}  // namespace kith
