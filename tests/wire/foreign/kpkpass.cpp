// What KDE's KPkPass sees in the .pkpass files that are named on the command line, as one JSON array.
// It takes the language from the environment, as every KDE program does.
#include <KPkPass/Barcode>
#include <KPkPass/Field>
#include <KPkPass/Location>
#include <KPkPass/Pass>

#include <QColor>
#include <QCoreApplication>
#include <QDateTime>
#include <QFile>
#include <QImage>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QMetaEnum>
#include <QUrl>

#include <cstdio>
#include <memory>

using namespace KPkPass;

static QJsonArray fields(const QVector<Field> &found)
{
    QJsonArray told;
    for (const Field &field : found) {
        told.append(QJsonObject{{"key", field.key()},
                                {"label", field.label()},
                                {"value", QJsonValue::fromVariant(field.value())},
                                {"shown", field.valueDisplayString()},
                                {"changeMessage", field.changeMessage()}});
    }
    return told;
}

static QJsonObject look(const Pass &pass)
{
    QJsonArray barcodes, places;
    QJsonObject pictures;
    for (const Barcode &code : pass.barcodes())
        barcodes.append(QJsonObject{{"format", int(code.format())},
                                    {"message", code.message()},
                                    {"encoding", code.messageEncoding()},
                                    {"altText", code.alternativeText()}});
    for (const Location &place : pass.locations())
        places.append(QJsonArray{place.latitude(), place.longitude(), place.relevantText()});
    for (const char *name : {"icon", "logo", "strip", "background", "thumbnail"}) {
        for (unsigned scale : {1u, 2u, 3u}) {
            const QImage image = pass.image(QString::fromLatin1(name), scale);
            if (!image.isNull())
                pictures.insert(QStringLiteral("%1@%2").arg(QString::fromLatin1(name)).arg(scale),
                                QJsonArray{image.width(), image.height()});
        }
    }
    return {{"type", QString::fromLatin1(QMetaEnum::fromType<Pass::Type>().valueToKey(pass.type()))},
            {"description", pass.description()},
            {"organizationName", pass.organizationName()},
            {"logoText", pass.logoText()},
            {"passTypeIdentifier", pass.passTypeIdentifier()},
            {"serialNumber", pass.serialNumber()},
            {"authenticationToken", pass.authenticationToken()},
            {"passUpdateUrl", pass.passUpdateUrl().toString()},
            {"expirationDate", pass.expirationDate().toUTC().toString(Qt::ISODate)},
            {"relevantDate", pass.relevantDate().toUTC().toString(Qt::ISODate)},
            {"voided", pass.isVoided()},
            {"backgroundColor", pass.backgroundColor().name()},
            {"foregroundColor", pass.foregroundColor().name()},
            {"labelColor", pass.labelColor().name()},
            {"maxDistance", pass.maximumDistance()},
            {"header", fields(pass.headerFields())},
            {"primary", fields(pass.primaryFields())},
            {"secondary", fields(pass.secondaryFields())},
            {"auxiliary", fields(pass.auxiliaryFields())},
            {"back", fields(pass.backFields())},
            {"barcodes", barcodes},
            {"locations", places},
            {"pictures", pictures}};
}

int main(int count, char **words)
{
    QCoreApplication application(count, words);
    QJsonArray told;
    for (int i = 1; i < count; ++i) {
        const std::unique_ptr<Pass> pass(Pass::fromFile(QFile::decodeName(words[i])));
        told.append(pass ? QJsonValue(look(*pass)) : QJsonValue());
    }
    std::fputs(QJsonDocument(told).toJson(QJsonDocument::Compact).constData(), stdout);
    return 0;
}
