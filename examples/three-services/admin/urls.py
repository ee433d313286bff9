from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.urls import path


def health(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok", "users": User.objects.count()})


urlpatterns = [path("health", health), path("admin/", admin.site.urls)]
