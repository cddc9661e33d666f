from shop.version import VERSION
