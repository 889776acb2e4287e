"""What restock knows of one partition: a function of its feed up to `applied`, so that a replay decides the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.alert import Product
from schemas.feed import Campaign, Catalogue, Known, PoliciesSet, known_by_now
from streams.restock.alike import kept_once
from streams.restock.demand import Prior
from streams.restock.item import Item
from streams.restock.policy import Policies, PolicyRule
from streams.restock.shop import Shop
from streams.windows import Windows


@dataclass(slots=True)
class RestockState:
    """`applied` is the last offset of the feed that is in, `movements` the last of `stock.movements` that it has told.

    `policies` are the versions, by the moments from which they apply. `_by_sku` are the campaigns again, by what they
    promote, None until somebody asks.
    """

    windows: Windows
    partition: int = 0
    applied: int = -1
    movements: int = -1
    shops: dict[str, Shop] = field(default_factory=dict)
    policies: list[tuple[int, str, Policies]] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    _by_sku: dict[str, list[Campaign]] | None = field(default=None, init=False, repr=False, compare=False)

    def shop(self, store_id: str) -> Shop:
        """A store, which begins here where it is new."""
        found = self.shops.get(store_id)
        if found is None:
            found = self.shops[store_id] = Shop(store_id)
        return found

    def track(self, shop: Shop, sku: str) -> Item:
        """A SKU of a store, which is tracked from here on where it was not."""
        found = shop.items.get(sku)
        if found is None:
            found = shop.items[sku] = Item(sku, len(shop.items), shop.moves)
            shop.table.add(sku, found.numbers, found.demand)
            found.demand.resume(shop.trading.done)
            self._name(found)
            for one in self.campaigns_of(sku):
                _remind_of(one, shop, sku)
        return found

    def set_policies(self, message: PoliciesSet) -> bool:
        """Take up a version; says whether it is a new one."""
        if any(version == message.version for _, version, _ in self.policies):
            return False
        rules = []
        for one in message.rules:
            settings = {name: getattr(one, name) for name in one.__struct_fields__ if name not in _SELECTORS}
            given = {name: value for name, value in settings.items() if value is not None}
            rules.append(PolicyRule(given, one.store, one.sku, one.category))
        self.policies.append((message.since, message.version, Policies(rules)))
        self.policies.sort(key=lambda version: version[0])
        return True

    def apply_policy(self, shop: Shop, item: Item) -> None:
        """Give an item the policy that is in force now in its store."""
        in_force = [(version, policies) for since, version, policies in self.policies if since <= shop.now]
        if in_force and in_force[-1][0] != item.policy_version:
            version, policies = in_force[-1]
            item.set_policy(policies.of(shop.store_id, item.sku, item.product.category), version)

    def set_catalogue(self, message: Catalogue) -> None:
        """Take up what SKUs are called, and what like stores sell of them; what changes is judged at the next sale."""
        changed = set()
        for sku, told in message.skus.items():
            before = self.known.get(sku)
            known = told if before is None else known_by_now(before, told)
            if known != before:
                shared, known = kept_once(sku, known)
                self.known[shared] = known
                changed.add(sku)
        for shop in self.shops.values():
            for sku in sorted(changed & shop.items.keys()):
                self._name(shop.items[sku])
                shop.remind(shop.now, sku)

    def _name(self, item: Item) -> None:
        known = self.known.get(item.sku)
        if known is None:
            return
        item.product = Product(known.name, known.department, known.category, known.brand)
        item.policy_version = ""  # those of its category may be other ones now
        item.numbers.ask = 1
        if known.purchases_an_hour is not None:
            item.prior = Prior(known.purchases_an_hour, known.units_a_purchase or 1.0)

    def set_campaign(self, message: Campaign) -> None:
        """Take up a campaign, in the place of the one of its id; what either promotes is judged as it changes."""
        before = self.campaigns.get(message.campaign_id)
        if before == message:
            return
        self.campaigns[message.campaign_id] = message
        self._by_sku = None
        skus = {*message.skus, *(before.skus if before else ())}
        for shop in self.shops.values():
            for sku in sorted(skus & shop.items.keys()):
                shop.remind(shop.now, sku)
                _remind_of(message, shop, sku)

    def campaigns_of(self, sku: str) -> list[Campaign]:
        """The campaigns that promote a SKU, whenever and wherever."""
        if self._by_sku is None:
            self._by_sku = {}
            for one in self.campaigns.values():
                for name in one.skus:
                    self._by_sku.setdefault(name, []).append(one)
        return self._by_sku.get(sku, [])

    def promote(self, shop: Shop, item: Item) -> None:
        """Whether a campaign runs for an item now decides which of its demands is under way."""
        promoted = any(
            one.since <= shop.now < one.until and (not one.stores or shop.store_id in one.stores)
            for one in self.campaigns_of(item.sku)
        )
        if item.promote(promoted, shop.trading.done):
            shop.table.run(item.number, item.running())


def _remind_of(campaign: Campaign, shop: Shop, sku: str) -> None:
    shop.remind(campaign.since, sku)
    shop.remind(campaign.until, sku)


_SELECTORS = ("store", "sku", "category")
