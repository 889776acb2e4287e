"""What restock knows of one partition: a function of its feed up to `applied`, so that a replay decides the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.alert import Product
from schemas.feed import Campaign, Catalogue, Known, PoliciesSet
from streams.restock.demand import Prior
from streams.restock.item import Item
from streams.restock.policy import Policies, PolicyRule
from streams.restock.shop import Shop
from streams.windows import Windows


@dataclass(slots=True)
class RestockState:
    """`applied` is the last offset of the feed that is in, `movements` the last of `stock.movements` that it has told.

    `policies` are the versions, by the moments from which they apply.
    """

    windows: Windows
    partition: int = 0
    applied: int = -1
    movements: int = -1
    shops: dict[str, Shop] = field(default_factory=dict)
    policies: list[tuple[int, str, Policies]] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)

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
            for one in self.campaigns.values():
                self._remind(shop, one, sku)
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
        """Take up what SKUs are called, and what like stores sell of them."""
        self.known.update(message.skus)
        for shop in self.shops.values():
            for sku in message.skus.keys() & shop.items.keys():
                self._name(shop.items[sku])

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
        """Take up a campaign, in the place of the one with its id."""
        before = self.campaigns.get(message.campaign_id)
        self.campaigns[message.campaign_id] = message
        for shop in self.shops.values():
            for sku in message.skus:
                self._remind(shop, message, sku)
            for sku in () if before is None else before.skus:
                if sku in shop.items:
                    shop.remind(shop.now, sku)

    def _remind(self, shop: Shop, campaign: Campaign, sku: str) -> None:
        if sku in shop.items and (not campaign.stores or shop.store_id in campaign.stores):
            shop.remind(campaign.since, sku)
            shop.remind(campaign.until, sku)

    def promote(self, shop: Shop, item: Item) -> None:
        """Whether a campaign runs for an item now decides which of its demands is under way."""
        promoted = any(
            item.sku in one.skus
            and one.since <= shop.now < one.until
            and (not one.stores or shop.store_id in one.stores)
            for one in self.campaigns.values()
        )
        if item.promote(promoted, shop.trading.done):
            shop.table.run(item.number, item.running())


_SELECTORS = ("store", "sku", "category")
